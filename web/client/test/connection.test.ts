import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Connection } from '../src/connection';
import { connectionFailed } from '../src/errors';
import type { Event } from '../src/events';
import { checkedOptions } from '../src/options';
import type { PeerListener } from '../src/peer';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Connects the first time, and then as `again` does. */
async function lost(again: () => Promise<never>): Promise<number[]> {
  const delaysS: number[] = [];
  let listener: PeerListener | undefined;
  const peer = { send: () => undefined, close: () => undefined, pc: { getStats: async () => new Map() } };
  const transport = {
    carriesVideo: true,
    createWire: async () => ({ greeting: () => ['hello'], receive: () => [['connected']], session: () => [] }),
    trackEnabled: () => undefined,
    connect: async (_media: unknown, heard: PeerListener) => {
      if (listener) return again();
      listener = heard;
      heard.onMessage('ready');
      return peer;
    },
  };
  const options = checkedOptions({ conversationUrl: 'https://example.org/', token: 't', audio: false, video: false });
  const told = (...[name, details]: Event) => name === 'reconnecting' && delaysS.push((details as { delayS: number }).delayS);
  const program = { functions: new Map(), watchesLevel: () => false };
  const connection = new Connection(options, transport as never, { audio: false, video: false }, 1, program, told, () => undefined);
  await connection.open();
  listener!.onClosed('network', connectionFailed('silent'));
  await vi.advanceTimersByTimeAsync(14_000);
  connection.leave();
  return delaysS;
}

it('after an attempt that nobody answered the next one follows at once', async () => {
  expect(await lost(() => new Promise(() => undefined))).toEqual([0, 0, 0, 0]);
});

it('after one that was refused a client waits, longer and longer, and not long while it is soon', async () => {
  const delaysS = await lost(() => Promise.reject(connectionFailed('refused')));
  expect(delaysS[0]).toBe(0);
  expect(delaysS[1]).toBeCloseTo(0.5, 0);
  expect(delaysS.length).toBeGreaterThan(10);
  expect(Math.max(...delaysS)).toBeLessThanOrEqual(1.2);
});
