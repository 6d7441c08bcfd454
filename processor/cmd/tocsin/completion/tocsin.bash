# Completion of tocsin for bash: source <(tocsin completion bash)
_tocsin() {
    local line="${COMP_LINE:0:COMP_POINT}" current candidate path cut
    local -a words
    COMPREPLY=()
    # Not COMP_WORDS: bash breaks those at = and :, too.
    read -ra words <<<"$line"
    case $line in *[[:space:]]) words+=("") ;; esac
    current="${words[${#words[@]} - 1]}"
    cut="${current%"${current##*[=:]}"}"
    while IFS=$'\t' read -r candidate _; do
        if [ "$candidate" = :files ]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen -f -- "${current#"$cut"}")
        else
            COMPREPLY+=("${candidate#"$cut"}")
        fi
    done < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
    case ${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac
    return 0
}
complete -F _tocsin tocsin
