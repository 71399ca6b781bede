#include "command/tone.h"

#include <string.h>

const char *tone_name(enum tone tone)
{
    switch (tone) {
    case TONE_PLAIN:
        return "plain";
    case TONE_GOOD:
        return "good";
    case TONE_WARN:
        return "warn";
    case TONE_BAD:
        return "bad";
    case TONE_BUSY:
        return "busy";
    }
    return "plain";
}

bool tone_parse(const char *name, enum tone *ret)
{
    for (int t = TONE_PLAIN; t <= TONE_BUSY; t++) {
        if (strcmp(name, tone_name((enum tone)t)) == 0) {
            *ret = (enum tone)t;
            return true;
        }
    }
    return false;
}

const char *tone_icon(enum tone tone)
{
    switch (tone) {
    case TONE_PLAIN:
        return "";
    case TONE_GOOD:
        return "🟢 ";
    case TONE_WARN:
        return "🟡 ";
    case TONE_BAD:
        return "🔴 ";
    case TONE_BUSY:
        return "⏳ ";
    }
    return "";
}
