/** A socket that stands in front of the machine's own engine: it can end, hang and come back without harm to others. */

import * as fs from 'node:fs'
import * as net from 'node:net'

const behind = (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace('unix://', '')

export class StandIn {
  private server: net.Server | undefined
  private readonly links = new Set<net.Socket>()
  private hanging = false
  readonly socket: string

  constructor(socket: string) {
    this.socket = socket
  }

  async start(): Promise<void> {
    fs.rmSync(this.socket, { force: true })
    const server = net.createServer({ allowHalfOpen: true }, (near) => {
      const far = net.connect({ path: behind, allowHalfOpen: true })
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.links.add(one)
        one.on('error', () => other.destroy())
        one.on('close', () => {
          this.links.delete(one)
          other.destroy()
        })
        one.pipe(other)
        if (this.hanging) {
          one.pause()
        }
      }
    })
    this.server = server
    await new Promise<void>((resolve) => server.listen(this.socket, resolve))
  }

  /** All links end with it, as with a daemon. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server?.close(resolve))
    for (const link of this.links) {
      link.destroy()
    }
    await closed
  }

  /** From now on nothing passes, or everything again. */
  hang(hang: boolean): void {
    this.hanging = hang
    for (const link of this.links) {
      if (hang) {
        link.pause()
      } else {
        link.resume()
      }
    }
  }
}
