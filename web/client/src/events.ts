/**
 * Follows the event log: over a WebSocket while there is one, else by asking again and again.
 *
 *     start    GET /events ─► seq ─► onReset: everything is loaded
 *     socket   POST /sync/ticket ─► resume since seq ─► events, ready ─► "live"
 *     no socket, or it ended: GET /events?since=seq every few seconds ─► "polling"; no answer ─► "offline"
 *
 * `seq` is where the log is known without a gap. An event beyond a gap is handed on at once, and the gap is filled by HTTP:
 * a message that was lost, doubled or late changes nothing in the end. The last message's loss shows in the next pong.
 */

import type { Event } from "./api.ts";
import type { ApiError, Request } from "./http.ts";
import { parseJson } from "./json.ts";
import { backoff, type Timing } from "./timing.ts";

export type Connection = "connecting" | "live" | "polling" | "offline";

/** An event; one of progress has no number. */
export type AnyEvent = Omit<Event, "seq"> & { readonly seq?: number };

export interface Listener {
  /** The log starts at another place: load everything again. */
  onReset(): void;
  onEvent(event: AnyEvent): void;
  onConnection(connection: Connection, error: ApiError | null): void;
}

export interface EventReader {
  /** Try again now: the network is back, or somebody looks at the page again. */
  hurry(): void;
  close(): void;
}

/** Follow the log until the reader is closed. */
export function readEvents(request: Request, listener: Listener, timing: Timing): EventReader {
  let seq = -1;
  /** Events beyond a gap that were handed on. */
  const ahead = new Set<number>();
  let socket: WebSocket | null = null;
  let isLive = false;
  let isClosed = false;
  let failures = 0;
  let socketFailures = 0;
  let nextSocketAt = 0;
  let catchingUp: Promise<void> | null = null;
  let gapTimer: Timer;
  let pongTimer: Timer;
  let wakeTimer: Timer;
  let wake = () => {};

  async function run(): Promise<void> {
    while (!isClosed) {
      await step();
      await new Promise<void>((resolve) => {
        wake = resolve;
        wakeTimer = setTimeout(resolve, isClosed ? 0 : pause());
      });
      clearTimeout(wakeTimer);
    }
  }

  async function step(): Promise<void> {
    if (isLive) {
      socket!.send('{"action":"ping"}');
      return expectAnswer();
    }
    try {
      await catchUp();
      failures = 0;
      if (!socket && Date.now() >= nextSocketAt) await openSocket();
      if (!socket) listener.onConnection("polling", null);
    } catch (error) {
      failures++;
      listener.onConnection("offline", error as ApiError);
    }
  }

  function pause(): number {
    if (isLive) return timing.pingMs;
    if (failures) return backoff(timing, failures);
    const untilSocket = nextSocketAt - Date.now();
    return untilSocket > 0 ? Math.min(untilSocket, timing.pollMs) : timing.pollMs;
  }

  // ── the log ──

  /** Read what happened since `seq`; one reading at a time. */
  function catchUp(): Promise<void> {
    catchingUp ??= readLog().finally(() => {
      catchingUp = null;
    });
    return catchingUp;
  }

  /** Catch up, then call *next*; a failure closes the socket, and the loop goes on as without one. */
  function catchUpThen(next?: () => void): void {
    catchUp().then(next, () => loseSocket(socket));
  }

  async function readLog(): Promise<void> {
    try {
      if (seq < 0) return reset((await request("GET", "/events")).seq);
      let page: any;
      do {
        page = await request("GET", `/events?since=${seq}`);
        page.items.forEach(take);
        moveTo(page.seq);
      } while (page.items[999] && !isClosed);
    } catch (error) {
      if ((error as ApiError).status !== 410) throw error;
      reset((error as ApiError).problem["seq"] ?? -1);
    }
  }

  function reset(place: number): void {
    ahead.clear();
    seq = place;
    listener.onReset();
  }

  function take(event: AnyEvent): void {
    const number = event.seq;
    if (number) {
      if (number <= seq || ahead.has(number)) return;
      ahead.add(number);
      moveTo(seq);
    }
    listener.onEvent(event);
  }

  /** The log is known up to *place*, and as far beyond as events came without a gap. */
  function moveTo(place: number): void {
    seq = Math.max(seq, place);
    for (const known of ahead) if (known <= seq) ahead.delete(known);
    while (ahead.delete(seq + 1)) seq++;
  }

  /** Fill a gap before *place* by HTTP unless its events arrive in the meantime. */
  function checkGap(place: number): void {
    if (place <= seq || gapTimer || isClosed) return;
    gapTimer = setTimeout(() => {
      gapTimer = undefined;
      if (place > seq) catchUpThen(() => checkGap(place));
    }, timing.gapMs);
  }

  // ── the socket ──

  async function openSocket(): Promise<void> {
    try {
      const { url } = await request("POST", "/sync/ticket");
      if (isClosed) return;
      const opened = new WebSocket(url);
      socket = opened;
      nextSocketAt = Date.now() + timing.retryMs;
      opened.onopen = () => opened.send(`{"action":"resume","since":${seq}}`);
      opened.onmessage = ({ data }) => socket === opened && receive(parseJson(data));
      opened.onclose = () => loseSocket(opened);
      expectAnswer();
    } catch {
      delaySocket();
    }
  }

  function delaySocket(): void {
    nextSocketAt = Date.now() + backoff(timing, ++socketFailures);
  }

  function receive(message: any): void {
    const { type, seq: place } = message;
    // only an answer proves that the socket answers: without `ready` it is opened again
    if (!message.id) pongTimer = void clearTimeout(pongTimer);
    if (type === "ready") becomeLive();
    // more than a socket sends: the log itself may still have it
    if (type === "resync") catchUpThen(becomeLive);
    else if (message.id) take(message);
    // a number below ours: the table was restored, which the log itself says best
    else if (place < seq) catchUpThen();
    checkGap(place ?? 0);
  }

  function becomeLive(): void {
    if (!socket) return;
    isLive = true;
    failures = socketFailures = 0;
    listener.onConnection("live", null);
    wake();
  }

  function expectAnswer(): void {
    pongTimer ??= setTimeout(() => loseSocket(socket), timing.pongMs);
  }

  function loseSocket(lost: WebSocket | null): void {
    if (!lost || lost !== socket || isClosed) return;
    // one that had worked is opened again soon
    if (!isLive) delaySocket();
    dropSocket();
    wake();
  }

  function dropSocket(): void {
    const dropped = socket;
    socket = null;
    isLive = false;
    clearTimeout(gapTimer);
    clearTimeout(pongTimer);
    gapTimer = pongTimer = undefined;
    dropped?.close();
  }

  void run();
  return {
    hurry: () => {
      nextSocketAt = 0;
      wake();
    },
    close: () => {
      isClosed = true;
      dropSocket();
      wake();
    },
  };
}

type Timer = ReturnType<typeof setTimeout> | undefined;
