// The least that a service could be: Node and Fastify, one route, ready when it listens.
import Fastify from 'fastify';

const server = Fastify();
server.get('/health', async () => ({ status: 'healthy' }));
await server.listen({ port: 0, host: '127.0.0.1' });
process.stdout.write('ready\n');
