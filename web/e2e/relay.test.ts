import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openBrowser, openPage } from './browser';
import { Server } from './server';

const COTURN = '/usr/bin/turnserver';
const host = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

describe.skipIf(!existsSync(COTURN) || !host)('a network that lets nothing through but a TURN server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spike-turn-'));
  let turn: ChildProcess;
  let port: number;
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    port = await freePort();
    const options = [`--listening-ip=${host}`, `--relay-ip=${host}`, `--listening-port=${port}`, '--lt-cred-mech', '--user=spike:engine'];
    const files = [`--userdb=${folder}/db`, `--log-file=${folder}/log`, `--pidfile=${folder}/pid`, '--simple-log'];
    turn = spawn(COTURN, ['-n', ...options, ...files, '--realm=spike.example', '--no-tls', '--no-dtls', '--no-cli'], { stdio: 'ignore' });
    while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 50));
    server = await Server.start();
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    turn?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  async function freePort(): Promise<number> {
    const socket = createServer().listen(0, host);
    await new Promise((resolve) => socket.once('listening', resolve));
    const { port } = socket.address() as AddressInfo;
    await new Promise((resolve) => socket.close(resolve));
    return port;
  }

  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, host!, () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });

  async function talk(transport: 'udp' | 'tcp'): Promise<void> {
    const page = await openPage(await browser.newContext(), inject('pages'));
    const { conversation_url: conversationUrl, token } = await server.create();
    const iceServers = [{ urls: `turn:${host}:${port}?transport=${transport}`, username: 'spike', credential: 'engine' }];
    const [path, level] = await page.evaluate(async (options) => {
      Object.assign(globalThis, { client: recorded(new SpikeClient(options as never)) });
      await client.join();
      let loudest = 0;
      client.on('ai-speaking', ({ audioLevel }) => (loudest = Math.max(loudest, audioLevel)));
      await client.waitFor('ai-idle', 20);
      await client.waitFor('stats', 20);
      return [(await client.getStats()).network.path, loudest] as const;
    }, { conversationUrl, token, iceServers, iceTransportPolicy: 'relay', joinTimeoutS: 15 });
    expect(path).toBe('relay');
    expect(level).toBeGreaterThan(0.02);
    await page.context().close();
  }

  it('is talked through over UDP', () => talk('udp'));
  it('is talked through over TCP', () => talk('tcp'));
});
