// Says `ready`, after a delay where one is given, and ends on SIGTERM. Ends by itself when asked over a file:
//   ready.ts [readyAfterMs]
const readyAfterMs = Number(process.argv[2] ?? 0);
setTimeout(() => console.log('ready'), readyAfterMs);
process.on('SIGTERM', () => {
  console.log('terminating');
  process.exit(0);
});
setInterval(() => {}, 60_000);
