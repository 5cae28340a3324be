/* main alone: every fault is the C library's start-up. */
int main(void) { return 0; }
