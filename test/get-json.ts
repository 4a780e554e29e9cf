// A GET of whatever may be away at the moment.
/** Null when it does not answer in time, or not with 2xx. */
export async function getJsonWithin<T>(url: string, limitMs: number): Promise<T | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(limitMs) });
    return response.ok ? ((await response.json()) as T) : null;
  } catch {
    return null;
  }
}
