// How many a second, over a window of time: at least one call, and as many as begin within the window.
export async function rateOf(
  windowMs: number,
  perCall: number,
  call: () => Promise<void> | void,
): Promise<number> {
  const from = performance.now();
  let done = 0;
  do {
    await call();
    done += perCall;
  } while (performance.now() - from < windowMs);
  return (done * 1000) / (performance.now() - from);
}
