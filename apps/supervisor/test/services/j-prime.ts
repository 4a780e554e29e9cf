import { serve } from './serve.ts';

const { JARVIS_PRIME_PORT: port, JARVIS_PORT: first, REACTOR_CORE_PORT: second } = process.env;
serve('j-prime', Number(port), { 'jarvis-core': Number(first), 'reactor-core': Number(second) });
