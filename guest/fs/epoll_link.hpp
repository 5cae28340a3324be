// EpollLink: from an open file to the epoll items that watch it, so that they go when the file is closed. Linux
// counterpart: struct file::f_ep, epitem::fllink, eventpoll_release.
#pragma once

#include <boost/intrusive/list.hpp>

namespace fl::guest {

struct EpollLinkTag;
// A part of an epoll item (epoll.hpp).
struct EpollLink : boost::intrusive::list_base_hook<boost::intrusive::tag<EpollLinkTag>,
                                                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {};
using EpollLinks = boost::intrusive::list<
    EpollLink,
    boost::intrusive::base_hook<boost::intrusive::list_base_hook<
        boost::intrusive::tag<EpollLinkTag>, boost::intrusive::link_mode<boost::intrusive::auto_unlink>>>,
    boost::intrusive::constant_time_size<false>>;

// The file is closed for good: its items are removed from their epolls.
void epoll_release(EpollLinks& links);

}  // namespace fl::guest
