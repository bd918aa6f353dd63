import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';

export interface Invitation {
  conversation_id: string;
  conversation_url: string;
  token: string;
}

export interface Report {
  personas: { heard: { seconds: number; rms: number }[]; seen: number[]; said_texts: [string, boolean][]; known: [string, string][] }[];
}

export const PYTHON = process.env['SPIKE_PYTHON'] ?? 'python3';

/** The embedded server in a process of its own. */
export class Server {
  url = '';
  private readonly answers: ((line: string) => void)[] = [];
  private readonly over: Promise<unknown>;

  private constructor(private readonly process: ChildProcessWithoutNullStreams) {
    this.over = once(process, 'exit');
    createInterface(process.stdout).on('line', (line) => this.answers.shift()?.(line));
    process.stderr.on('data', (data: Buffer) => console.error(String(data)));
  }

  static start(persona: 'host' | 'front-desk' | 'rambler' = 'host', port = 0, origin = new URL(inject('pages')).origin, inviteOnly = false): Promise<Server> {
    return Server.run('server.py', persona, String(port), origin, ...(inviteOnly ? ['invite-only'] : []));
  }

  /** A program of this folder that takes orders. */
  static async run(program: string, ...options: string[]): Promise<Server> {
    const server = new Server(spawn(PYTHON, [fileURLToPath(new URL(program, import.meta.url)), ...options]));
    const { url } = (await server.answer()) as { url: string };
    server.url = url;
    return server;
  }

  async create(): Promise<Invitation> {
    return (await this.ask({ do: 'create' })) as Invitation;
  }

  async ask(order: Record<string, unknown>): Promise<unknown> {
    this.process.stdin.write(`${JSON.stringify(order)}\n`);
    return this.answer();
  }

  async report(): Promise<Report> {
    return (await this.ask({ do: 'report' })) as Report;
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  async stop(name: NodeJS.Signals | null = null): Promise<void> {
    if (name) this.process.kill(name);
    else this.process.stdin.end();
    await this.over;
  }

  private async answer(): Promise<unknown> {
    const line = await Promise.race([
      new Promise<string>((resolve) => this.answers.push(resolve)),
      this.over.then(() => {
        throw new Error('the server has ended');
      }),
    ]);
    return JSON.parse(line);
  }
}
