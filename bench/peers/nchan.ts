// The configuration of nginx with nchan: a server of its own in a folder of its own, that keeps the
// least of messages and no log, with one process that serves. Pure text; servers.ts starts it.

export interface NchanWish {
  /** The file of the module. */
  readonly module: string
  readonly port: number
  readonly connections: number
  readonly openFiles: number
}

export function nchanConfig({ module, port, connections, openFiles }: NchanWish): string {
  // When no more than a sixteenth of them are free, nginx closes connections that are kept between
  // two requests, which are the publishers'.
  const workerConnections = Math.min(openFiles - 64, Math.ceil(connections * 1.2) + 1_100)
  return `load_module ${module};
daemon off;
worker_processes 1;
worker_rlimit_nofile ${openFiles};
pid nginx.pid;
error_log stderr warn;
events { worker_connections ${workerConnections}; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  # Publishers keep their connections, as with the others.
  keepalive_requests 1000000000;
  server {
    # As many may wait to be accepted as with Bun.
    listen 127.0.0.1:${port} backlog=512;
    location ~ ^/sub/(\\d+)$ {
      nchan_subscriber http-chunked;
      nchan_channel_id $1;
      # Who comes gets what is sent from then on.
      nchan_subscriber_first_message newest;
    }
    location ~ ^/pub/(\\d+)$ {
      nchan_publisher http;
      nchan_channel_id $1;
      # The least that may be kept. With a length of 0 nchan 1.3.6 keeps every message until its
      # shared memory is full, and then answers 500.
      nchan_message_buffer_length 1;
      nchan_message_timeout 1s;
    }
  }
}
`
}
