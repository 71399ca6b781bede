/*
 * side_agent.h: Bull and Bear: one implementation, two signs.
 *
 *     side_agent_bull(&view, &vote);
 *
 * Points (bull; bear is the mirror image): RSI at or under 30: .4; RSI over 50: .2; fast EMA over
 * slow, five-minute bars: .3; the same of hourly bars: .3; capped at 1. It votes above .3.
 * Thread: any (pure).
 */
#pragma once

#include "agents/agent.h"

void side_agent_bull(const struct agent_view *view, struct vote *ret);
void side_agent_bear(const struct agent_view *view, struct vote *ret);
