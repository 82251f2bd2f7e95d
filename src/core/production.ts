// Imported before anything else. Elysia reads NODE_ENV at run time, while it loads, and tells
// clients the details of its checks unless it says production; a released binary must not.
// The brackets keep the bundler from writing the value of the build machine in their place.

if (Bun.isStandaloneExecutable) Bun.env['NODE_ENV'] ||= 'production'
