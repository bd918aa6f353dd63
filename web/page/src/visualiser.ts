import type { Mood } from './mood';

const BARS = 72;
const BANDS = 18;

/** What is drawn of one moment: a mood, its colour, and how loud each band of the voice that matters is, 0 to 1. */
export interface Moment {
  mood: Mood;
  colour: string;
  bands: number[];
  timeS: number;
  still: boolean;
}

/** A ring of bars around the face: the AI's voice, the user's voice, or the wait between them. */
export class Ring {
  private readonly heights = new Float32Array(BARS);

  constructor(private readonly canvas: HTMLCanvasElement) {}

  draw(moment: Moment): void {
    const context = this.canvas.getContext('2d');
    if (!context) return;
    const size = this.fit();
    context.clearRect(0, 0, size, size);
    context.translate(size / 2, size / 2);
    context.strokeStyle = moment.colour;
    context.lineCap = 'round';
    context.lineWidth = (size / BARS) * 1.15;
    for (let bar = 0; bar < BARS; bar++) {
      const target = heightOf(bar, moment);
      // Up at once, down slowly: the eye follows a voice more easily.
      const rest = moment.still ? target : Math.max(target, this.heights[bar]! * 0.88);
      this.heights[bar] = rest;
      const angle = (bar / BARS) * 2 * Math.PI - Math.PI / 2;
      const inner = size * 0.385;
      const outer = inner + size * (0.004 + 0.1 * rest);
      context.globalAlpha = 0.35 + 0.65 * Math.min(1, rest * 1.6);
      context.beginPath();
      context.moveTo(inner * Math.cos(angle), inner * Math.sin(angle));
      context.lineTo(outer * Math.cos(angle), outer * Math.sin(angle));
      context.stroke();
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
  }

  private fit(): number {
    const size = Math.round(this.canvas.clientWidth * (window.devicePixelRatio || 1));
    if (this.canvas.width !== size) this.canvas.width = this.canvas.height = size;
    return size;
  }
}

/** 0 to 1 for one bar of the ring, counted clockwise from the top. */
function heightOf(bar: number, { mood, bands, timeS, still }: Moment): number {
  const turn = bar / BARS;
  switch (mood) {
    case 'speaking':
    case 'hearing':
    case 'listening': {
      // Low tones at the top, high ones at the bottom, the same on both sides.
      const side = turn < 0.5 ? turn * 2 : (1 - turn) * 2;
      const band = bands[Math.min(BANDS - 1, Math.floor(side * BANDS))] ?? 0;
      const breath = mood === 'listening' && !still ? 0.05 + 0.04 * Math.sin(timeS * 1.8) : 0.05;
      return Math.max(breath, band);
    }
    case 'thinking': {
      if (still) return bar % 6 < 3 ? 0.45 : 0.05;
      const behind = (((timeS * 0.55 - turn) % 1) + 1) % 1; // three comets that go round
      return 0.06 + 0.6 * Math.exp(-((behind * 3) % 1) * 5);
    }
    case 'connecting':
      return still ? (bar % 2 ? 0.2 : 0.02) : 0.12 + 0.1 * Math.sin(timeS * 4 + turn * 12 * Math.PI);
    case 'muted':
    case 'off':
      return 0.02;
  }
}

export { BANDS };
