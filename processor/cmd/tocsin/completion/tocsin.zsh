#compdef tocsin
# Completion of tocsin for zsh: source <(tocsin completion zsh) behind compinit, or this text as _tocsin in a folder of
# $fpath.
_tocsin() {
    local -a described plain lines
    local line text files=
    lines=("${(@f)$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        text="${line%%$'\t'*}"
        if [[ $text == :files ]]; then
            files=1
        elif [[ $text == *= ]]; then
            plain+=("$text")
        elif [[ $line == *$'\t'* ]]; then
            described+=("${text//:/\\:}:${line#*$'\t'}")
        elif [[ -n $text ]]; then
            described+=("${text//:/\\:}")
        fi
    done
    (( $#described )) && _describe tocsin described
    (( $#plain )) && compadd -S '' -- $plain
    [[ -n $files ]] && { compset -P '*='; _files }
}
if (( $+functions[compdef] )); then compdef _tocsin tocsin; fi
