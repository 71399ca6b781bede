#include "builtin.h"

const struct action action_otp_rows[] = {{0}};
