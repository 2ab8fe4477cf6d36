/** A click on a button of the preview. VS Code opens its link as a document: the block runs, and the document goes. */

import * as vscode from 'vscode'
import { decode, SCHEME, type Click } from './plugin.ts'

export class Clicks implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly registrations: vscode.Disposable[]

  constructor(
    private readonly token: string,
    private readonly run: (click: Click) => void,
  ) {
    this.registrations = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.window.tabGroups.onDidChangeTabs(({ opened, changed }) => {
        close([...opened, ...changed])
      }),
      // Its model would be kept, and a second click not be noticed.
      vscode.workspace.onDidOpenTextDocument((document) => {
        if (document.uri.scheme === SCHEME) {
          close(vscode.window.tabGroups.all.flatMap((group) => group.tabs))
        }
      }),
    ]
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const click = decode(uri.path, this.token)
    if (click === undefined) {
      return 'This link is none of Runpen.\n'
    }
    this.run(click)
    return ''
  }

  dispose(): void {
    this.registrations.forEach((registration) => {
      registration.dispose()
    })
  }
}

function close(tabs: readonly vscode.Tab[]): void {
  const ours = tabs.filter(({ input }) => input instanceof vscode.TabInputText && input.uri.scheme === SCHEME)
  if (ours.length > 0) {
    void vscode.window.tabGroups.close(ours)
  }
}
