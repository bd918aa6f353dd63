import { Meter, SpikeClient, type EventName } from '@spike/client';
import { listen } from './ear';

/** What the tests use in the page: the client's classes, and every event with its time. */
const record: { at: number; name: string; args: unknown[] }[] = [];

const NAMES: EventName[] = [
  'connected', 'disconnected', 'reconnecting', 'ai-thinking', 'ai-speaking', 'ai-idle', 'ai-paused', 'user-started-speaking',
  'user-stopped-speaking', 'user-transcript', 'perception', 'message', 'function-call', 'playback-blocked', 'stats',
  'network-quality', 'devices-changed', 'error',
];

function recorded(client: SpikeClient): SpikeClient {
  for (const name of NAMES) {
    client.on(name, (...args: unknown[]) => {
      const plain = args.map((arg) => (arg instanceof Error ? { ...arg, message: arg.message } : arg));
      record.push({ at: performance.now(), name, args: plain });
    });
  }
  return client;
}

Object.assign(globalThis, { SpikeClient, Meter, record, recorded, listen });

// A page that joins while it loads: nobody has clicked yet.
const { autojoin } = globalThis as { autojoin?: ConstructorParameters<typeof SpikeClient>[0] };
if (autojoin) {
  const client = recorded(new SpikeClient(autojoin));
  Object.assign(globalThis, { client });
  client.on('playback-blocked', () => console.log('playback-blocked'));
  void client.join();
}
