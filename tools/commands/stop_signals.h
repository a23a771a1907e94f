#pragma once

namespace lodestone::tools {

// From now on SIGTERM, SIGINT and SIGUSR1 ask this process to stop, instead of ending it: a job
// that looks at stop_requested() saves and exits with kExitRequeue. A second SIGTERM or SIGINT ends
// it at once, as the system does by default (a shell shows 143 and 130). To be called before there
// are other threads, once.
void install_stop_signals();
bool stop_requested();

}  // namespace lodestone::tools
