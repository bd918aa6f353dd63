import type { Event } from './events';

/** One word of a turn. */
export interface Word {
  /** With its punctuation. */
  text: string;
  /** When it began, in seconds since `join()`; of the user's, when it was understood. */
  atS: number;
}

/** What one of the two said before the other took over. */
export interface Turn {
  readonly speaker: 'ai' | 'user';
  /** All of it, as the server transcribed it. */
  readonly text: string;
  readonly words: readonly Word[];
  /** Seconds since `join()`. */
  readonly beganS: number;
  /** The same; null while it goes on. */
  readonly endedS: number | null;
  /** The user cut it short. */
  readonly interrupted: boolean;
  /** As much of `text` as was heard; less than all of it only where the turn was interrupted. */
  readonly heard: string;
  /** The server sends its words ahead of its voice: times and `heard` are reckoned from the AI's pace. */
  readonly estimated: boolean;
}

const MOST_TURNS = 1000;
const FIRST_CHARS_PER_S = 15; // of speech, before an answer has been heard whole
const SLOWEST_CHARS_PER_S = 5;
const FASTEST_CHARS_PER_S = 40;

/** Builds turns from events; the newest 1000 are kept. */
export class History {
  private readonly ended: Turn[] = [];
  private ai: Turn | null = null;
  private user: Turn | null = null;
  private charsPerS = FIRST_CHARS_PER_S;

  /** In the order in which they began, with those that go on. */
  get turns(): readonly Turn[] {
    return [...this.ended, this.ai, this.user].filter((turn) => turn !== null).sort((a, b) => a.beganS - b.beganS);
  }

  /** Take in what happened at `nowS`; `ahead`: the AI's words come before its voice. */
  add(event: Event, nowS: number, ahead: boolean): void {
    switch (event[0]) {
      case 'ai-speaking':
        this.ai = this.grown(this.ai ?? newTurn('ai', nowS, ahead), event[1].transcript, nowS);
        break;
      case 'ai-idle':
        this.endAI(nowS, event[1].interrupted);
        break;
      case 'user-started-speaking':
        this.endUser(nowS);
        this.user = newTurn('user', nowS);
        break;
      case 'user-stopped-speaking':
        if (this.user) this.user = { ...this.user, endedS: nowS };
        break;
      case 'user-transcript':
        this.user = this.grown(this.user ?? newTurn('user', nowS), event[1].transcript, nowS);
        if (event[1].final) this.endUser(nowS);
        break;
      case 'disconnected':
        this.endAI(nowS, true);
        this.endUser(nowS);
    }
  }

  /** `turn` with `text`: words that were there keep their times, new ones are of now, or reckoned. */
  private grown(turn: Turn, text: string, nowS: number): Turn {
    if (text === turn.text) return turn;
    let chars = 0;
    const words = text.split(/\s+/).filter(Boolean).map((word, index) => {
      const before = turn.words[index];
      const arrivedS = before?.text === word ? before.atS : nowS;
      const atS = turn.estimated ? turn.beganS + chars / this.charsPerS : arrivedS;
      chars += word.length + 1;
      return { text: word, atS };
    });
    return { ...turn, text, words, heard: text };
  }

  private endAI(nowS: number, interrupted: boolean): void {
    let turn = this.ai;
    this.ai = null;
    if (!turn) return;
    if (turn.estimated) {
      if (interrupted) turn = this.withWhatWasHeard(turn, nowS);
      this.learnThePace(turn, nowS);
    }
    this.keep({ ...turn, endedS: nowS, interrupted });
  }

  private withWhatWasHeard(turn: Turn, nowS: number): Turn {
    const heard = turn.words.filter(({ text, atS }) => atS + text.length / this.charsPerS <= nowS);
    return { ...turn, heard: heard.map(({ text }) => text).join(' ') };
  }

  private learnThePace({ heard, text, beganS }: Turn, nowS: number): void {
    const tookS = nowS - beganS;
    if (heard !== text || tookS <= 1) return;
    this.charsPerS = Math.min(FASTEST_CHARS_PER_S, Math.max(SLOWEST_CHARS_PER_S, text.length / tookS));
  }

  private endUser(nowS: number): void {
    const turn = this.user;
    this.user = null;
    if (turn?.text) this.keep({ ...turn, endedS: turn.endedS ?? nowS });
  }

  private keep(turn: Turn): void {
    this.ended.push(turn);
    if (this.ended.length > MOST_TURNS) this.ended.shift();
  }
}

const newTurn = (speaker: Turn['speaker'], beganS: number, estimated = false): Turn => ({
  speaker,
  text: '',
  words: [],
  beganS,
  endedS: null,
  interrupted: false,
  heard: '',
  estimated,
});
