"""`make demo-langgraph`: a LangGraph agent on a Backpack, killed, resumed, taken back and forked. No model, no key."""
