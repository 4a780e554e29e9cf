// Writes some lines and ends in the middle, with exit code 3.
for (let i = 0; i < 5; i++) console.log(`line ${i}`);
console.error('something is wrong');
process.exitCode = 3;
