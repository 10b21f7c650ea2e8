# Written anew in the shape of /etc/profile.d/lang.sh of RHEL 8 and 9 (initscripts).
if [ -n "${LANG_BACKUP-}" ]; then LANG="$LANG_BACKUP"; fi
for langfile in /etc/locale.conf "$HOME/.i18n"; do
    [ -f "$langfile" ] && . "$langfile" && LANG_BACKUP="${LANG-}"
done
if [ -n "${LANG-}" ] && [ "${TERM-}" = 'linux' ] && /usr/bin/tty | /usr/bin/grep --quiet -e '/dev/tty'; then
    if /usr/bin/grep --quiet -E -i -e '^.+\.utf-?8$' <<< "$LANG"; then
        case ${LANG} in
            ja*) LANG=en_US.UTF-8 ;;
        esac
    fi
fi
[ -n "${LANG-}" ] && export LANG || unset LANG
