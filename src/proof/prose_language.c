/* Number words of other languages, and whether a text is in another language than English. */
#include "base/check.h"
#include "proof/prose.h"

#include <string.h>

/* German, French, Spanish, Italian, Portuguese and Dutch; but those that are English words as well,
 * such as "six", "due" and "once". */
static const char *const numbers[] = {
    "eins",      "zwei",       "drei",     "vier",         "fünf",      "fuenf",     "sechs",
    "sieben",    "acht",       "neun",     "zehn",         "elf",       "zwölf",     "zwoelf",
    "hälfte",    "haelfte",    "halb",     "halbe",        "drittel",   "viertel",   "dutzend",
    "doppelt",   "verdoppelt", "halbiert", "verdreifacht", "deux",      "trois",     "quatre",
    "cinq",      "huit",       "neuf",     "dix",          "onze",      "douze",     "treize",
    "quatorze",  "quinze",     "vingt",    "trente",       "quarante",  "cinquante", "soixante",
    "mille",     "moitié",     "moitie",   "douzaine",     "uno",       "dos",       "tres",
    "cuatro",    "cinco",      "seis",     "siete",        "ocho",      "nueve",     "diez",
    "doce",      "trece",      "catorce",  "veinte",       "treinta",   "cuarenta",  "cincuenta",
    "sesenta",   "setenta",    "ochenta",  "noventa",      "cien",      "ciento",    "mitad",
    "tercio",    "tercios",    "docena",   "doble",        "tre",       "quattro",   "cinque",
    "sette",     "otto",       "nove",     "dieci",        "undici",    "dodici",    "tredici",
    "quindici",  "venti",      "trenta",   "quaranta",     "cinquanta", "sessanta",  "settanta",
    "ottanta",   "novanta",    "cento",    "mila",         "metà",      "terzo",     "terzi",
    "dozzina",   "doppio",     "dois",     "duas",         "três",      "quatro",    "sete",
    "oito",      "dez",        "doze",     "treze",        "vinte",     "trinta",    "quarenta",
    "cinquenta", "sessenta",   "oitenta",  "cem",          "mil",       "metade",    "terço",
    "dúzia",     "dobro",      "twee",     "drie",         "vijf",      "zes",       "zeven",
    "negen",     "twaalf",     "helft",    "dubbel",       "dozijn",    "derde"};

/* Of words made of several: "siebenundzwanzig", "vijftien". */
static const char *const endings[] = {"zehn", "zig",     "ßig",     "hundert", "tausend", "tien",
                                      "ntig", "honderd", "duizend", "cientos", "centos",  "cento"};

/* Frequent words that say which language a sentence is in, and are no English words. */
static const char *const foreign[] = {
    "der", "das",   "und",    "ist", "nicht", "mit",  "von",  "dem",  "ein",   "eine", "auf",
    "für", "wurde", "wurden", "le",  "la",    "les",  "des",  "est",  "dans",  "une",  "pour",
    "que", "sur",   "pas",    "du",  "et",    "au",   "sont", "el",   "los",   "las",  "con",
    "por", "del",   "una",    "fue", "il",    "gli",  "di",   "che",  "della", "sono", "è",
    "não", "uma",   "para",   "foi", "het",   "een",  "van",  "niet", "zijn",  "voor", "aan",
    "och", "är",    "att",    "som", "nie",   "jest", "się",  "na",   "oraz",  "ve",   "bir"};

static const char *const english[] = {
    "the", "of",   "and",  "is",   "are",   "was", "were", "in",   "to",   "at",  "by",    "for",
    "on",  "with", "that", "this", "it",    "its", "has",  "have", "had",  "be",  "from",  "than",
    "not", "as",   "or",   "but",  "which", "a",   "an",   "no",   "only", "per", "while", "after"};

static bool is_in(struct str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(word, words[i])) {
            return true;
        }
    }
    return false;
}

/* A symbol or an abbreviation: "DOS", "SEI". */
static bool is_capitals(struct str word)
{
    bool small = false;
    for (size_t i = 0; i < word.len; i++) {
        small |= word.ptr[i] >= 'a' && word.ptr[i] <= 'z';
    }
    return !small;
}

bool prose_is_foreign_number(struct str word)
{
    if (is_capitals(word)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        size_t len = strlen(endings[i]);
        if (word.len > len && str_equal_nocase(str_n(word.ptr + word.len - len, len), endings[i])) {
            return true;
        }
    }
    return is_in(word, numbers, COUNT_OF(numbers));
}

bool prose_is_english(const struct prose *prose)
{
    int others = 0, ours = 0;
    for (int i = 0; i < prose->token_count; i++) {
        const struct prose_token *t = &prose->tokens[i];
        if (t->kind == PROSE_WORD) {
            others += is_in(t->text, foreign, COUNT_OF(foreign)) ? 1 : 0;
            ours += is_in(t->text, english, COUNT_OF(english)) ? 1 : 0;
        }
    }
    return others < 2 || others <= ours;
}
