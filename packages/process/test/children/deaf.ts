// Hears SIGTERM and does not care.
process.on('SIGTERM', () => console.log('heard, staying'));
setInterval(() => {}, 60_000);
console.log('ready');
