;;; The configuration of editors/emacs/README.md in a real Emacs with Eglot, against the real server and engine.
;;
;; usage: emacs --batch -l eglot_test.el -f ert-run-tests-batch-and-exit
;; RUNPEN_TEST_README names the document that the configuration is taken from.

(require 'ert)
(require 'cl-lib)
(require 'eglot)
(require 'flymake)

(defconst runpen-deadline 60 "Seconds that a thing may take; nothing waits this long when it works.")

(defun runpen-readme-forms ()
  "The Lisp of the document, evaluated as it would be when pasted."
  (with-temp-buffer
    (insert-file-contents (getenv "RUNPEN_TEST_README"))
    (goto-char (point-min))
    (while (re-search-forward "^```elisp\n" nil t)
      (let ((start (point)))
        (re-search-forward "^```$")
        (eval-region start (match-beginning 0))))))
(runpen-readme-forms)

(defmacro runpen-wait (what &rest condition)
  "Wait until CONDITION holds, taking what the server says meanwhile."
  (declare (indent 1))
  `(let ((deadline (+ (float-time) runpen-deadline)) found)
     (while (not (setq found (progn ,@condition)))
       (when (> (float-time) deadline)
         (ert-fail (format "waited in vain for %s; Flymake: %S" ,what
                           (mapcar #'flymake-diagnostic-text (flymake-diagnostics)))))
       (accept-process-output nil 0.02))
     found))

(defmacro runpen-with-file (name text &rest body)
  "Visit a file NAME with TEXT under Eglot, and do BODY."
  (declare (indent 2))
  `(let* ((folder (make-temp-file "runpen" t))
          (path (expand-file-name ,name folder))
          (eglot-sync-connect t)
          (eglot-autoshutdown t)
          (enable-local-variables nil)
          (project-find-functions (list (lambda (_) (cons 'transient folder)))))
     (with-temp-file path (insert ,text))
     (let ((buffer (find-file-noselect path)))
       (unwind-protect
           (with-current-buffer buffer
             (apply #'eglot (runpen-guess))
             (runpen-wait "the server" (eglot-current-server))
             ,@body)
         (with-current-buffer buffer
           (when (eglot-current-server) (eglot-shutdown (eglot-current-server)))
           (set-buffer-modified-p nil))
         (kill-buffer buffer)
         (delete-directory folder t)))))

(defun runpen-guess ()
  "What `M-x eglot' starts by itself here, as its arguments."
  (let ((guess (eglot--guess-contact)))
    (cl-subseq guess 0 (min 5 (length guess)))))

(defun runpen-action (title)
  "Take the code action TITLE at point, as `M-x eglot-code-actions' does after the choice."
  (let* ((region (if (use-region-p) (list (region-beginning) (region-end)) (list (point) (point))))
         (server (eglot-current-server))
         (actions (jsonrpc-request
                   server :textDocument/codeAction
                   (list :textDocument (eglot--TextDocumentIdentifier)
                         :range (list :start (eglot--pos-to-lsp-position (car region))
                                      :end (eglot--pos-to-lsp-position (cadr region)))
                         :context '(:diagnostics []))))
         (action (cl-find title actions :key (lambda (action) (plist-get action :title)) :test #'equal))
         (command (plist-get action :command)))
    (unless action
      (ert-fail (format "no action %S among %S" title
                        (mapcar (lambda (action) (plist-get action :title)) actions))))
    (if (stringp command)
        (eglot-execute-command server (intern command) (plist-get action :arguments))
      (eglot-execute-command server (intern (plist-get command :command)) (plist-get command :arguments)))))

(defun runpen-hover (line)
  "What hovering over the zero-based LINE shows."
  (let ((hover (jsonrpc-request
                (eglot-current-server) :textDocument/hover
                (list :textDocument (eglot--TextDocumentIdentifier)
                      :position (list :line line :character 0)))))
    (and hover (format "%s" (plist-get (plist-get hover :contents) :value)))))

(ert-deftest runpen-a-file-runs-and-its-error-is-at-its-line ()
  (runpen-with-file "wrong.py" "x = 1\nprint('before')\nx / 0\n"
    (runpen-action "Run file in sandbox")
    (let ((found (runpen-wait "a diagnostic" (flymake-start) (flymake-diagnostics))))
      (should (string-match-p "ZeroDivisionError" (flymake-diagnostic-text (car found))))
      (should (= 3 (line-number-at-pos (flymake-diagnostic-beg (car found))))))
    (should (string-match-p "before" (runpen-wait "the hover" (runpen-hover 0))))))

(ert-deftest runpen-unsaved-text-runs ()
  (runpen-with-file "unsaved.py" "print('saved')\n"
    (erase-buffer)
    (insert "print('äöü ' + 'unsaved')\n")
    (eglot--signal-textDocument/didChange)
    (runpen-action "Run file in sandbox")
    (should (string-match-p "äöü unsaved" (runpen-wait "the hover" (runpen-hover 0))))))

(ert-deftest runpen-a-selection-runs ()
  (runpen-with-file "part.py" "print('no')\nprint('yes')\nprint('no')\n"
    (goto-char (point-min))
    (forward-line 1)
    (push-mark (point) t t)
    (forward-line 1)
    (let ((transient-mark-mode t))
      (activate-mark)
      (runpen-action "Run selection in sandbox"))
    (deactivate-mark)
    (let ((text (runpen-wait "the hover" (runpen-hover 1))))
      (should (string-match-p "yes" text))
      (should-not (string-match-p "\\bno\\b" text)))))

(ert-deftest runpen-a-run-can-be-stopped ()
  (runpen-with-file "endless.py" "while True: pass\n"
    (runpen-action "Run file in sandbox")
    (runpen-action "Stop")
    (should (string-match-p "stopped" (runpen-wait "the hover" (runpen-hover 0))))))

(ert-deftest runpen-results-can-be-cleared ()
  (runpen-with-file "clear.py" "print('shown')\n"
    (runpen-action "Run file in sandbox")
    (runpen-wait "the hover" (runpen-hover 0))
    (runpen-action "Clear results")
    (should-not (runpen-hover 0))))
