/** How long the client waits for what, in milliseconds. */

export interface Timing {
  /** How often the log is asked without a socket. */
  readonly pollMs: number;
  /** How often a socket is pinged, and how long it may stay silent after that. */
  readonly pingMs: number;
  readonly pongMs: number;
  /** How long a missing event may still arrive before it is fetched. */
  readonly gapMs: number;
  /** The first and the longest pause after failures; each is twice the one before, less a random part. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
}

export const TIMING: Timing = { pollMs: 5_000, pingMs: 25_000, pongMs: 10_000, gapMs: 300, retryMs: 1_000, maxRetryMs: 60_000 };

/** Return how long to wait after this many failures in a row. */
export function backoff({ retryMs, maxRetryMs }: Timing, failures: number): number {
  return Math.min(maxRetryMs, retryMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
}
