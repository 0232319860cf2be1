#!/bin/sh
# Installs heatmap on a Debian-like server, or takes it away again; safe to run twice. `sh deploy/install.sh --help`
set -eu
umask 022 # what root keeps to itself, the user heatmap could not run

usage() {
    cat <<'END'
Usage: sh deploy/install.sh [OPTION]...
Installs heatmap as a system service, from the checkout that this script is in. Run again, it upgrades, or does nothing.

  --from WHAT      install this instead: a wheel, or what pip understands, such as 'market-heatmap>=0.2'
  --extras LIST    with these extras, such as png,s3
  --cron           a line of cron, with its own log, in place of the systemd timer (where systemd does not run: always)
  --dry-run        say what would be done, and do nothing
  --root DIR       put everything below DIR, and start nothing: a trial that needs no root
  --uninstall      take away what was installed; configuration, state, pages and logs stay
  --purge          with --uninstall: take those away, too, and the user

The program goes to /opt/market-heatmap, with the command in /usr/local/bin, its configuration to /etc/heatmap (what is
there is never overwritten), its state and pages to /var/lib/heatmap, which belong to the user heatmap that it runs as.
PYTHON=python3.12 chooses another Python than python3.
END
}

say() { printf '%s\n' "$*"; }
fail() {
    code=$1
    shift
    printf 'install.sh: %s\n' "$*" >&2
    exit "$code"
}

# Every change to the machine goes through here: it is said, and with --dry-run only said.
change() {
    case $1 in
        write*) say "  write $2" ;;
        *) say "  $*" ;;
    esac
    [ -n "$dry_run" ] || "$@"
}

read_arguments() {
    what='' extras='' cron='' dry_run='' root='' uninstall='' purge=''
    while [ $# -gt 0 ]; do
        case $1 in
            --from | --extras | --root) [ $# -ge 2 ] || fail 64 "$1 needs a value: see --help" ;;
        esac
        case $1 in
            --from) what=$2 && shift ;;
            --extras) extras=$2 && shift ;;
            --root) root=$2 && shift ;;
            --cron) cron=yes ;;
            --dry-run) dry_run=yes ;;
            --uninstall) uninstall=yes ;;
            --purge) purge=yes ;;
            --help | -h) usage && exit 0 ;;
            *) fail 64 "unknown option $1: see --help" ;;
        esac
        shift
    done
    [ -z "$purge" ] || [ -n "$uninstall" ] || fail 64 "--purge goes with --uninstall"
    if [ -n "$root" ]; then
        [ -d "$root" ] || fail 64 "--root $root is no folder: make it first"
        root=$(cd "$root" && pwd -P)
        [ "$root" != / ] || fail 64 "--root / is the system itself: leave it out"
        case $root in *[!A-Za-z0-9/._+-]*) fail 64 "--root $root has characters that unit files cannot have: choose another" ;; esac
    elif [ -z "$dry_run" ] && [ "$(id -u)" -ne 0 ]; then
        fail 77 "only root may change the system: run it with sudo, or try it with --root DIR"
    fi
}

name_places() {
    here=$(cd "$(dirname "$0")" && pwd -P)
    checkout=${here%/*}
    python=${PYTHON:-python3}
    opt=$root/opt/market-heatmap
    venv=$opt/venv # a link to the folder of the version in use
    command=$root/usr/local/bin/heatmap
    etc=$root/etc/heatmap
    lib=$root/var/lib/heatmap
    log=$root/var/log/heatmap
    service=$root/etc/systemd/system/heatmap.service
    timer=$root/etc/systemd/system/heatmap.timer
    crontab=$root/etc/cron.d/heatmap
    logrotate=$root/etc/logrotate.d/heatmap
    [ -d /run/systemd/system ] || [ -n "$root" ] || cron=yes
}

# What is asked of the system as a whole is left out of a trial.
on_the_system() { [ -z "$root" ]; }
with_systemd() { on_the_system && [ -d /run/systemd/system ]; }
is_running() { systemctl is-enabled --quiet heatmap.timer 2>/dev/null && systemctl is-active --quiet heatmap.timer; }
has_user() { getent passwd heatmap >/dev/null; }

check_python() {
    command -v "$python" >/dev/null || fail 78 "$python is not here: apt-get install python3, or say PYTHON=python3.12"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail 78 "$("$python" --version) is too old: heatmap needs 3.11 or newer; say PYTHON=python3.12 or what it is called"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail 78 "$python cannot make virtual environments: apt-get install python3-venv"
    [ -n "$what" ] || [ -f "$checkout/pyproject.toml" ] ||
        fail 64 "$checkout is no checkout of heatmap: say --from WHAT, such as a wheel"
}

# Tells one installation from another: what it is made of, with which extras, and by which Python.
fingerprint() {
    {
        if [ -z "$what" ]; then
            cd "$checkout"
            find heatmap templates pyproject.toml -type f ! -name '*.pyc' -exec cksum {} + | LC_ALL=C sort
        elif [ -f "$what" ]; then
            cksum <"$what"
        fi
        say "$what [$extras]"
        "$python" -c 'import sys; print(sys.version, sys.base_prefix)'
    } | cksum | tr ' ' -
}

make_user() {
    on_the_system || return 0
    if ! has_user; then
        change useradd --system --user-group --home-dir "$lib" --no-create-home --shell /usr/sbin/nologin heatmap
    fi
}

# make_folder PATH: one that belongs to the user heatmap.
make_folder() {
    if [ -d "$1" ]; then return 0; fi
    if on_the_system; then
        change install -d -m 755 -o heatmap -g heatmap "$1"
    else
        change install -d -m 755 "$1"
    fi
}

# What pip is asked for: a path and an address take extras in their own ways, a requirement after its name.
requirement() {
    wanted=${what:-$checkout}
    if [ -z "$extras" ]; then
        say "$wanted"
        return 0
    fi
    case $wanted in
        *' @ '*) add_extras ;;
        *://*) say "market-heatmap[$extras] @ $wanted" ;;
        .* | */* | *.whl | *.tar.gz | *.zip) say "${wanted}[$extras]" ;;
        *) add_extras ;;
    esac
}

# Puts the extras behind the name, together with those that stand there already.
add_extras() {
    rest=${wanted#"${wanted%%[![:space:]]*}"}
    name=${rest%%[!A-Za-z0-9._-]*}
    rest=${rest#"$name"}
    bare=${rest#"${rest%%[![:space:]]*}"}
    case $bare in
        '['*']'*)
            bare=${bare#?}
            say "${name}[${bare%%]*},$extras]${bare#*]}"
            ;;
        *) say "${name}[$extras]$rest" ;;
    esac
}

# A new version grows beside the one in use, which a link then leaves: a failure on the way changes nothing. The one before
# stays until the next upgrade, for a run that is under way.
install_program() {
    new=$opt/venv-$(fingerprint)
    if [ "$(readlink "$venv" 2>/dev/null)" = "${new##*/}" ] && [ -f "$new/complete" ]; then
        say "heatmap in $venv is up to date"
        return 0
    fi
    before=$(readlink "$venv" 2>/dev/null || :)
    wanted=$(requirement)
    [ -d "$opt" ] || change mkdir -p "$opt"
    change "$python" -m venv --clear "$new"
    change "$new/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$wanted"
    change "$new/bin/heatmap" --version
    change touch "$new/complete"
    change ln -sfn "${new##*/}" "$venv.new"
    change mv -T "$venv.new" "$venv"
    for old in "$opt"/venv-*; do
        case ${old##*/} in
            "${new##*/}" | "$before" | 'venv-*') ;;
            *) change rm -rf "$old" ;;
        esac
    done
}

install_command() {
    if [ "$(readlink "$command" 2>/dev/null)" = "$venv/bin/heatmap" ]; then return 0; fi
    if [ -e "$command" ] || [ -L "$command" ]; then
        say "note: $command is somebody else's, and stays; this one is $venv/bin/heatmap"
        return 0
    fi
    [ -d "${command%/*}" ] || change mkdir -p "${command%/*}"
    change ln -s "$venv/bin/heatmap" "$command"
}

install_configuration() {
    if [ -e "$etc/heatmap.toml" ]; then
        say "$etc/heatmap.toml stays as it is"
        return 0
    fi
    [ -d "$etc" ] || change mkdir -p "$etc"
    change write_configuration "$etc/heatmap.toml"
}

write_configuration() {
    "$venv/bin/heatmap" init --force --config "$1.new" >/dev/null
    # Paths in it would start at /etc, where nothing is to be written.
    sed -i -e "s|^# state_directory = \"state\" *#|state_directory = \"$lib/state\"  #|" \
        -e "s|^url = \"file:site\" *#|url = \"file:$lib/site\"  #|" "$1.new"
    mv "$1.new" "$1"
}

# place SOURCE FILE: writes one with this installation's paths where it differs, and says in `changed` that it did.
place() {
    text=$(sed -e "s|/opt/market-heatmap|$opt|g" -e "s|/etc/heatmap|$etc|g" -e "s|/var/lib/heatmap|$lib|g" \
        -e "s|/var/log/heatmap|$log|g" "$1")
    if [ -f "$2" ] && [ "$text" = "$(cat "$2")" ]; then return 0; fi
    changed=yes
    [ -d "${2%/*}" ] || change mkdir -p "${2%/*}"
    change write "$2" "$text"
}

write() { printf '%s\n' "$2" >"$1"; }

take_away() {
    for file; do
        if [ -e "$file" ] || [ -L "$file" ]; then change rm -rf "$file"; fi
    done
}

install_timer() {
    changed=''
    place "$here/heatmap.service" "$service"
    place "$here/heatmap.timer" "$timer"
    take_away "$crontab" "$logrotate"
    if with_systemd; then
        [ -z "$changed" ] || change systemctl daemon-reload
        is_running || change systemctl enable --now heatmap.timer
    fi
}

install_cron() {
    remove_timer
    make_folder "$log"
    place "$here/heatmap.cron" "$crontab"
    place "$here/heatmap.logrotate" "$logrotate"
}

remove_timer() {
    if [ ! -e "$timer" ] && [ ! -e "$service" ]; then return 0; fi
    if with_systemd; then
        change systemctl disable --now heatmap.timer
        change systemctl stop heatmap.service
    fi
    take_away "$service" "$timer"
    if with_systemd; then change systemctl daemon-reload; fi
}

do_install() {
    check_python
    say "Installing heatmap:"
    make_user
    make_folder "$lib"
    install_program
    install_command
    install_configuration
    if [ -n "$cron" ]; then install_cron; else install_timer; fi
    say "Done. Say in $etc/heatmap.toml where the page goes, then try it as the user that it runs as:"
    say "  sudo -u heatmap -H heatmap check --config $etc/heatmap.toml"
    say "  sudo -u heatmap -H heatmap status --config $etc/heatmap.toml"
}

do_uninstall() {
    say "Taking heatmap away:"
    remove_timer
    take_away "$crontab" "$logrotate"
    if [ "$(readlink "$command" 2>/dev/null)" = "$venv/bin/heatmap" ]; then take_away "$command"; fi
    take_away "$opt"
    if [ -n "$purge" ]; then
        take_away "$service.d" "$timer.d" "$etc" "$lib" "$log"
        if on_the_system && has_user; then change userdel heatmap; fi
    else
        say "Configuration, state, pages and logs stay, in $etc, $lib and $log; --purge takes them away, too."
    fi
}

read_arguments "$@"
name_places
if [ -n "$uninstall" ]; then do_uninstall; else do_install; fi
