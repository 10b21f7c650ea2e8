# Written anew in the shape of /etc/profile.d/colorls.sh of RHEL 9 (coreutils-common).
if [ -z "$USER_LS_COLORS" ]; then
  alias ll='ls -l' 2>/dev/null
  INCLUDE=
  COLORS=
  for colors in "$HOME/.dir_colors.$TERM" "$HOME/.dircolors.$TERM" "$HOME/.dir_colors" "$HOME/.dircolors"; do
    [ -e "$colors" ] && COLORS="$colors" && \
    INCLUDE="`/usr/bin/cat "$COLORS" | /usr/bin/grep '^INCLUDE' | /usr/bin/cut -d ' ' -f2-`" && \
    break
  done
  [ -z "$COLORS" ] && [ -e "/etc/DIR_COLORS" ] && COLORS="/etc/DIR_COLORS"
  [ -n "$COLORS" ] || return
  eval "`/usr/bin/dircolors --sh $COLORS 2>/dev/null`"
  [ -z "$LS_COLORS" ] && return
fi
alias ll='ls -l --color=auto' 2>/dev/null
