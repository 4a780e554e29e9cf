import { serve } from './serve.ts';

const { REACTOR_CORE_PORT: port, JARVIS_PORT: first, JARVIS_PRIME_PORT: second } = process.env;
serve('reactor-core', Number(port), { 'jarvis-core': Number(first), 'j-prime': Number(second) });
