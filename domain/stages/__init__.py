"""One file per stage, all of one shape: procedure in words, facts, messages, rules, and the stage itself at the end."""
