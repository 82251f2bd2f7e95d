// Imported before anything else. Elysia reads NODE_ENV while it loads, and sends clients the
// details of its checks unless it is `production`; a released binary must not do that. The brackets
// keep the bundler from inlining the value of the build machine.

if (Bun.isStandaloneExecutable) Bun.env['NODE_ENV'] ||= 'production'
