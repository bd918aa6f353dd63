/** How long the user waited for an answer, by part, in milliseconds. */
export interface Delay {
  /** From the last loud moment of the user to the server's word that the turn is over. */
  noticing: number;
  /** From there to the final words. */
  understanding: number;
  /** From there to the AI's first sound on the server. */
  answering: number;
  /** From there until it was heard here. */
  travelling: number;
}

export const PARTS: { part: keyof Delay; label: string }[] = [
  { part: 'noticing', label: 'noticing that you had finished' },
  { part: 'understanding', label: 'understanding your words' },
  { part: 'answering', label: 'thinking and beginning to speak' },
  { part: 'travelling', label: 'travelling here' },
];

export const total = (delay: Delay): number => PARTS.reduce((sum, { part }) => sum + delay[part], 0);

/** Measures the delays of turns from what is heard and told here; times in milliseconds of any clock. */
export class TurnClock {
  private loud: number | null = null;
  private ended: number | null = null;
  private understood: number | null = null;
  private spoke: number | null = null;

  /** The microphone is loud now. */
  onLoud(atMs: number): void {
    if (this.ended === null) this.loud = atMs;
  }

  onUserStarted(): void {
    this.ended = this.understood = this.spoke = null;
  }

  onUserStopped(atMs: number): void {
    this.ended = atMs;
  }

  onUnderstood(atMs: number): void {
    if (this.ended !== null && this.spoke === null) this.understood = atMs;
  }

  onSpeaking(atMs: number): void {
    if (this.ended !== null) this.spoke ??= atMs;
  }

  /** The AI is audible here; the delay where that ends a wait. */
  onHeard(atMs: number): Delay | null {
    if (this.ended === null || this.spoke === null) return null;
    const { ended, spoke } = this;
    const understood = Math.min(this.understood ?? ended, spoke);
    const delay = {
      noticing: Math.max(0, ended - (this.loud ?? ended)),
      understanding: Math.max(0, understood - ended),
      answering: spoke - Math.max(understood, ended),
      travelling: Math.max(0, atMs - spoke),
    };
    this.loud = this.ended = this.understood = this.spoke = null;
    return delay;
  }
}
