import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { openSound, type Sound } from './sound';

export const FIREFOX = [process.env['SPIKE_FIREFOX'], '/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => path && existsSync(path));

const PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'datareporting.policy.dataSubmissionEnabled': false,
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'browser.region.network.url': '',
  'extensions.getAddons.cache.enabled': false,
};

const ANSWERS_WITHIN_MS = 25_000;

interface Reply {
  id?: number;
  error?: string;
  message?: string;
  result?: Record<string, unknown>;
}

/** Firefox with a clean profile and one tab, driven by WebDriver BiDi: Playwright's own Firefox is not the system's. */
export class Firefox {
  private readonly replies = new Map<number, (reply: Reply) => void>();
  private sent = 0;
  private tab = '';

  private constructor(
    private readonly process: ChildProcess,
    private readonly sound: Sound | null,
    private readonly profile: string,
    private readonly socket: WebSocket,
  ) {
    socket.on('message', (data) => {
      const reply = JSON.parse(String(data)) as Reply;
      if (reply.id !== undefined) this.replies.get(reply.id)?.(reply);
    });
    socket.on('close', () => {
      for (const answer of this.replies.values()) answer({ error: 'closed', message: 'Firefox is gone' });
    });
  }

  /** Once in a while Firefox starts and never answers; the next one does. */
  static async open(attempts = 2): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), 'spike-firefox-'));
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
    writeFileSync(join(profile, 'user.js'), lines.join('\n'));
    const sound = await openSound(); // without a sound card Firefox's audio stands still
    const env = { ...process.env, PULSE_SERVER: sound?.server ?? '' };
    const browser = spawn(FIREFOX ?? '', ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const late = setTimeout(() => browser.kill('SIGKILL'), ANSWERS_WITHIN_MS);
    try {
      return await Firefox.connected(browser, sound, profile);
    } catch (error) {
      browser.kill('SIGKILL');
      sound?.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
      if (attempts === 1) throw error;
      return await Firefox.open(attempts - 1);
    } finally {
      clearTimeout(late);
    }
  }

  private static async connected(browser: ChildProcess, sound: Sound | null, profile: string): Promise<Firefox> {
    let address = '';
    for await (const line of createInterface(browser.stderr!)) {
      address = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1] ?? '';
      if (address) break;
    }
    if (!address) throw new Error('Firefox does not listen');
    const socket = new WebSocket(`${address}/session`);
    await once(socket, 'open');
    const firefox = new Firefox(browser, sound, profile, socket);
    await firefox.send('session.new', { capabilities: {} });
    const { contexts } = (await firefox.send('browsingContext.getTree', {})) as { contexts: { context: string }[] };
    firefox.tab = contexts[0]!.context;
    return firefox;
  }

  async goto(url: string): Promise<void> {
    await this.send('browsingContext.navigate', { context: this.tab, url, wait: 'complete' });
  }

  /** What `work` returns in the page, as JSON. */
  async evaluate<T>(work: (argument: never) => T | Promise<T>, argument?: unknown): Promise<T> {
    const expression = `(async () => JSON.stringify(await (${String(work)})(${JSON.stringify(argument)}) ?? null))()`;
    const target = { context: this.tab };
    const result = await this.send('script.evaluate', { expression, target, awaitPromise: true, userActivation: true });
    if (result['type'] === 'exception') throw new Error((result['exceptionDetails'] as { text: string }).text);
    return JSON.parse((result['result'] as { value: string }).value) as T;
  }

  async close(): Promise<void> {
    const over = once(this.process, 'exit');
    await this.send('browser.close', {}).catch(() => undefined);
    this.process.kill();
    await over;
    this.sound?.close();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  private async send(method: string, params: object): Promise<Record<string, unknown>> {
    const id = ++this.sent;
    const reply = new Promise<Reply>((resolve) => this.replies.set(id, resolve));
    this.socket.send(JSON.stringify({ id, method, params }));
    const { error, message, result } = await reply;
    if (error) throw new Error(`${method}: ${error}: ${message}`);
    return result ?? {};
  }
}
