/** Made-up units and bookings, the same in each run: back to back in each unit, with one double booking. */

export interface Made {
  readonly id: string;
  readonly unit: string;
  /** Days after the first one. */
  readonly from: number;
  readonly until: number;
  readonly guest: string;
}

export const makeUnits = (units: number) =>
  Array.from({ length: units }, (_, at) => ({ id: `u${at}`, name: `Flat ${String(at).padStart(3, "0")}` }));

export function makeBookings(units: number, days: number, bookings: number): Made[] {
  const each = Math.ceil(bookings / units);
  const nights = days / each;
  return Array.from({ length: bookings }, (_, at) => {
    const place = Math.floor(at / units);
    const from = Math.floor(place * nights);
    return {
      id: `b${at}`,
      unit: `u${at % units}`,
      from,
      until: Math.max(from + 1, Math.floor((place + 1) * nights) + (at === 0 ? 1 : 0)),
      guest: `Guest ${at}`,
    };
  });
}

/** Do *work* at the start of a frame, and return how long it took until the browser had painted that frame. */
export async function painted(work: () => void): Promise<number> {
  await new Promise((resolve) => requestAnimationFrame(resolve));
  const start = performance.now();
  work();
  // a message is handled after the frame
  await new Promise<void>((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve();
    port2.postMessage(null);
  });
  return performance.now() - start;
}
