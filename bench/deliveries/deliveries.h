// What floor.c, receiver.c and delivery-server.ts agree on: the message, and which user gets the
// next one. One command, sent to both ends, says what one sends and the other expects: `each
// <users>`, `random <messages> <users> <seed>`, or `all <turns> <frames> <users>`, which sends so
// many frames in one write to every user, again in each turn; delivery-server.ts does not take it.

#ifndef DELIVERIES_H
#define DELIVERIES_H

#include <stdint.h>

#include "../harness/server.h"

// One message as HTTP carries it: a chunk of 30 bytes.
#define CHUNK "1e\r\nFake message of thirty bytes.\n\r\n"
enum { CHUNK_BYTES = sizeof(CHUNK) - 1 };

// Users of one run at most: what two ends need of open files stays below the usual hard limit.
enum { USERS_MAX = 19000, FILES_MAX = 20000, LINE_MAX_BYTES = 256 };

// Frames of one write at most.
enum { FRAMES_MAX = 64 };

struct job {
  uint32_t writes;    // still to be made
  uint32_t frames;    // of each write
  uint32_t users;
  uint32_t state;     // of the random numbers; 0 means that every user has a turn, in order
  uint32_t next;
};

// Marsaglia's xorshift of 32 bits: cheap enough not to be what is measured.
static inline uint32_t next_user(struct job *job) {
  if (job->state == 0) return job->next = job->next % job->users + 1;
  job->state ^= job->state << 13;
  job->state ^= job->state >> 17;
  job->state ^= job->state << 5;
  return 1 + job->state % job->users;
}

// Reads one command; without its parent the process ends. A command is shorter than a pipe's
// atomic write and is answered before the next, so one read has exactly one.
static struct job read_job(void) {
  char line[LINE_MAX_BYTES];
  ssize_t length = read(0, line, sizeof line - 1);
  if (length <= 0) exit(0);
  line[length] = '\0';
  struct job job = {.frames = 1};
  uint32_t turns = 0;
  if (sscanf(line, "each %u", &job.users) == 1) job.writes = job.users;
  else if (sscanf(line, "all %u %u %u", &turns, &job.frames, &job.users) == 3) {
    job.writes = turns * job.users;
  } else if (sscanf(line, "random %u %u %u", &job.writes, &job.users, &job.state) != 3) {
    fprintf(stderr, "fault: no such command: %s", line);
    exit(2);
  }
  if (job.users < 1 || job.users > USERS_MAX || job.frames < 1 || job.frames > FRAMES_MAX) {
    fprintf(stderr, "fault: 1 to %d users, 1 to %d frames\n", USERS_MAX, FRAMES_MAX);
    exit(2);
  }
  return job;
}

#endif
