// A program that reads its configuration and says what came out; bad configuration ends it before it says anything.
import { readConfigOrExit } from '../../src/index.ts';

const config = readConfigOrExit({ environment: process.env, cwd: process.cwd() });
process.stdout.write(`${JSON.stringify({ port: config.env.JARVIS_PORT, home: config.home })}\n`);
