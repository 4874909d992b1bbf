const SVG = 'http://www.w3.org/2000/svg';
const POINTS = 120;
const HEIGHT = 24;

/** The last half minute of a figure as a small curve that starts at zero. */
export class Sparkline {
  readonly root = document.createElementNS(SVG, 'svg');
  readonly #line = document.createElementNS(SVG, 'polyline');
  #values: number[] = [];

  constructor() {
    this.root.setAttribute('viewBox', `0 0 ${POINTS - 1} ${HEIGHT}`);
    this.root.setAttribute('preserveAspectRatio', 'none');
    this.root.setAttribute('aria-hidden', 'true');
    this.root.classList.add('sparkline');
    this.root.append(this.#line);
  }

  add(value: number): void {
    this.#values = [...this.#values, value].slice(-POINTS);
    const top = Math.max(...this.#values, 1);
    const offset = POINTS - this.#values.length;
    const points = this.#values.map((y, x) => `${x + offset},${(HEIGHT - 1 - (y / top) * (HEIGHT - 2)).toFixed(1)}`);
    this.#line.setAttribute('points', points.join(' '));
  }

  reset(): void {
    this.#values = [];
    this.#line.removeAttribute('points');
  }
}
