/** When a server that died is started again. Pure: the clock is the caller's. */

/** Deaths in a row after which nothing is started by itself any more. */
export const QUICK_DEATHS = 4
/** A server that lived this long was no quick death. */
const LONG_LIFE_MS = 60_000
const FIRST_WAIT_MS = 250

export type Verdict = { restart: true; afterMs: number } | { restart: false; deaths: number }

export class Backoff {
  private deaths = 0
  private born = 0

  started(now: number): void {
    this.born = now
  }

  died(now: number): Verdict {
    this.deaths = now - this.born >= LONG_LIFE_MS ? 1 : this.deaths + 1
    if (this.deaths >= QUICK_DEATHS) {
      return { restart: false, deaths: this.deaths }
    }
    return { restart: true, afterMs: FIRST_WAIT_MS * 2 ** (this.deaths - 1) }
  }

  /** Somebody changed what may have been wrong, or asks for it by hand. */
  reset(): void {
    this.deaths = 0
  }
}
