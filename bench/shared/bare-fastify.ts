// The least that a service could be: Node and Fastify, one route, ready when it listens. `bare-fastify.ts [PORT]`.
import Fastify from 'fastify';

const server = Fastify();
server.get('/health', async () => ({ status: 'healthy', pid: process.pid }));
await server.listen({ port: Number(process.argv[2] ?? 0), host: '127.0.0.1' });
process.stdout.write('ready\n');
