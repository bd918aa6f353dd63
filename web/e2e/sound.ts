import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PULSEAUDIO = ['/usr/bin/pulseaudio'].find((path) => existsSync(path));

/** A sound server with one loudspeaker, and a microphone that stands right before it; null where none is installed. */
export interface Sound {
  /** For the environment of who plays and records. */
  server: string;
  close(): void;
}

export async function openSound(): Promise<Sound | null> {
  if (!PULSEAUDIO) return null;
  const folder = mkdtempSync(join(tmpdir(), 'spike-sound-'));
  const socket = join(folder, 'pulse');
  const modules = [
    `module-native-protocol-unix socket=${socket}`,
    'module-null-sink sink_name=speaker',
    'module-remap-source source_name=microphone master=speaker.monitor source_properties=device.description=Microphone',
  ];
  const daemon = spawn(PULSEAUDIO, ['-n', '--exit-idle-time=-1', ...modules.map((each) => `--load=${each}`)], { stdio: 'ignore' });
  while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    server: `unix:${socket}`,
    close: () => {
      daemon.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
