import { serve } from './serve.ts';

const { JARVIS_PORT: port, JARVIS_PRIME_PORT: first, REACTOR_CORE_PORT: second } = process.env;
serve('jarvis-core', Number(port), { 'j-prime': Number(first), 'reactor-core': Number(second) });
