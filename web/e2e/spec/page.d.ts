import type { SpikeClient } from '@spike/client';

// What the page of the specification takes for granted: the client of its first block, and the element that it names.
declare global {
  var client: SpikeClient;
  interface Document {
    getElementById(id: 'ai-video'): HTMLVideoElement;
  }
}
