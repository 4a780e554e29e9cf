// Says `ready`, and takes so many MiB at once when it hears SIGUSR1.
const mebibytes = Number(process.argv[2]);
const held: Buffer[] = [];
process.on('SIGUSR1', () => {
  held.push(Buffer.alloc(mebibytes * 1024 * 1024, 1));
  console.log('leapt');
});
setInterval(() => held.length, 60_000);
console.log('ready');
