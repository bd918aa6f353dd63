import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Server } from './server';
import { HAS_WEBKIT, WebKit } from './webkit';

describe.skipIf(!HAS_WEBKIT)('WebKitGTK', () => {
  let server: Server;
  let browser: WebKit;

  beforeAll(async () => {
    server = await Server.start();
    browser = await WebKit.open();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('shows the page, and talks or says why not', async () => {
    await browser.goto(((await server.ask({ do: 'invite' })) as { page: string }).page);
    await browser.until(() => document.querySelector('.primary') !== null);
    await browser.press('Start talking');
    // Debian builds it without WebRTC.
    if (await browser.evaluate(() => 'RTCPeerConnection' in window)) {
      await browser.until(() => document.body.textContent!.includes('Welcome to the browser.'));
      return;
    }
    await browser.until(() => document.querySelector('[role=alert]') !== null);
    expect(await browser.evaluate(() => document.querySelector('[role=alert]')!.textContent)).toContain('This browser has no WebRTC');
    expect(await browser.evaluate(() => document.querySelector('.primary')!.textContent)).toBe('Start talking');
    expect(await browser.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });
});
