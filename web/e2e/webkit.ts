import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';

const DRIVER = '/usr/bin/WebKitWebDriver';
const BROWSER = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/webkit2gtk-4.1/MiniBrowser`;

export const HAS_WEBKIT = [DRIVER, BROWSER, '/usr/bin/xvfb-run'].every((path) => existsSync(path));

/** Safari's engine, as Debian packages it (webkit2gtk-driver), driven by WebDriver. */
export class WebKit {
  private session = '';

  private constructor(
    private readonly driver: ChildProcess,
    private readonly url: string,
  ) {}

  static async open(): Promise<WebKit> {
    const port = await freePort();
    const env = { ...process.env, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', LIBGL_ALWAYS_SOFTWARE: '1' };
    const driver = spawn('/usr/bin/xvfb-run', ['-a', DRIVER, `--port=${port}`], { env, stdio: 'ignore', detached: true });
    const browser = new WebKit(driver, `http://127.0.0.1:${port}/session`);
    while (!(await fetch(`http://127.0.0.1:${port}/status`).catch(() => null))) await new Promise((resolve) => setTimeout(resolve, 50));
    const options = { binary: BROWSER, args: ['--automation'] };
    const { sessionId } = (await browser.ask('POST', '', { capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': options } } })) as { sessionId: string };
    browser.session = `/${sessionId}`;
    return browser;
  }

  async goto(url: string): Promise<void> {
    await this.ask('POST', '/url', { url });
  }

  /** What `work` returns in the page. */
  async evaluate<T>(work: () => T): Promise<T> {
    return (await this.ask('POST', '/execute/sync', { script: `return (${String(work)})()`, args: [] })) as T;
  }

  /** Click the button with this text. */
  async press(text: string): Promise<void> {
    const element = await this.ask('POST', '/element', { using: 'xpath', value: `//button[contains(., '${text}')]` });
    await this.ask('POST', `/element/${Object.values(element as object)[0]}/click`, {});
  }

  async until(work: () => boolean, limitMs = 20_000): Promise<void> {
    const end = Date.now() + limitMs;
    while (!(await this.evaluate(work))) {
      if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${String(work)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async close(): Promise<void> {
    await this.ask('DELETE', '');
    process.kill(-this.driver.pid!); // xvfb-run with what it has started
  }

  private async ask(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(this.url + this.session + path, { method, body: body ? JSON.stringify(body) : null });
    const { value } = (await answer.json()) as { value: { message?: string } };
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.message}`);
    return value;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
