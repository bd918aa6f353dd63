import type { listen as listenTo, Loudness } from './pages/ear';
import type { Meter as MeterClass, SpikeClient as Client } from '@spike/client';

declare global {
  // What e2e/pages/client.ts gives to the tests.
  var client: Client;
  var SpikeClient: typeof Client;
  var Meter: typeof MeterClass;
  var record: { at: number; name: string; args: unknown[] }[];
  var listen: typeof listenTo;
  var heard: Loudness[];
  function recorded(client: Client): Client;
}
