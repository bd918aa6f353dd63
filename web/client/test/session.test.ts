import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PeerListener } from '../src/peer';
import { Session } from '../src/session';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A server of which `signs` come, in seconds from now, and nothing else. */
function joining(signsS: number[]) {
  let failedAtS: number | null = null;
  const transport = {
    carriesVideo: true,
    createWire: async () => ({}),
    connect: (_media: unknown, listener: PeerListener) => {
      for (const signS of signsS) setTimeout(() => listener.onNews(), 1000 * signS);
      return new Promise(() => undefined);
    },
    trackEnabled: () => undefined,
  };
  const playback = { hold: () => undefined };
  const session = new Session({ transport, playback, media: {}, emit: () => undefined } as never);
  const began = performance.now();
  session.open(4.5).catch((error) => (failedAtS = error.code === 'CONNECTION_FAILED' ? (performance.now() - began) / 1000 : NaN));
  return () => failedAtS;
}

describe('joining', () => {
  it.each([
    ['of which nothing is heard has the time of the option', [], 4.5],
    ['that answers late has it once more', [3, 6], 10.5],
    ['that never comes to an end has four times of it', [4, 8, 12, 16, 17.9], 18],
  ])('a server %s', async (_, signsS, failsAtS) => {
    const failedAtS = joining(signsS);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(failedAtS()).toBeCloseTo(failsAtS, 1);
  });
});
