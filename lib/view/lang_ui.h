/* SPDX-License-Identifier: MIT */
/* lang_ui: the views' own words: X(KEY, ENGLISH, CHINESE). Shared within this room. */
#ifndef VIEW_LANG_UI_H
#define VIEW_LANG_UI_H

#define LANG_LABELS(X)                                                                             \
	X("ui.where", "WHERE", "位置")                                                             \
	X("ui.what", "WHAT", "报文")                                                               \
	X("ui.why", "WHY", "原因")                                                                 \
	X("ui.note", "NOTE", "注意")                                                               \
	X("ui.next", "NEXT", "下一步")                                                             \
	X("ui.try", "TRY", "试一试")                                                               \
	X("ui.time", "TIME", "时间")                                                               \
	X("ui.bytes", "BYTES", "字节")                                                             \
	X("ui.before", "before", "之前")                                                           \
	X("ui.after", "after", "之后")                                                             \
	X("ui.packet", "packet", "报文")                                                           \
	X("ui.packet-no", "packet {1}", "报文 {1}")                                                \
	X("ui.outer", "outer", "外层")                                                             \
	X("ui.outer-kept", "inside {1}; o shows the outer headers",                                \
	  "在 {1} 里面；按 o 看外层头部")                                                          \
	X("ui.changed", "changed: {1}", "改变了：{1}")                                             \
	X("ui.decides", "<- this decides", "<- 由此决定")                                          \
	X("ui.step-of", "step {1} of {2}", "第 {1} 步，共 {2} 步")                                 \
	X("ui.forward", "forward", "去程")                                                         \
	X("ui.relayed", "relayed", "中继")                                                         \
	X("ui.reply", "reply", "回程")                                                             \
	X("ui.attempt", "attempt {1}", "第 {1} 次尝试")                                            \
	X("ui.comma", ", ", "，")                                                                  \
	X("ui.colon", ": ", "：")                                                                  \
	X("ui.no-bytes", "this step was not seen at a device: there are no bytes",                 \
	  "这一步不是在设备上看到的：没有字节")                                                    \
	X("ui.after-step", "{1} after step {2}", "在第 {2} 步之后 {1}")                            \
	X("ui.median", "median of the timing runs: {1}", "计时运行的中位数：{1}")

#define LANG_HEAD(X)                                                                               \
	X("ui.trace", "trace {1} -> {2}", "跟踪 {1} -> {2}")                                       \
	X("ui.dns-trace", "first the name: the query for {1}", "首先是域名：对 {1} 的查询")        \
	X("ui.lab", "lab {1}, {2} engine, kernel {3}", "实验 {1}，{2} 引擎，内核 {3}")             \
	X("ui.packets", "packets: {1}", "报文：{1}")                                               \
	X("ui.names", "names: {1}", "名称：{1}")                                                   \
	X("ui.steps", "{1} ({2} steps)", "{1}（{2} 步）")                                          \
	X("ui.verdict", "verdict: {1}", "结论：{1}")                                               \
	X("ui.incomplete",                                                                         \
	  "INCOMPLETE: {1} frames and {2} messages were lost while recording; what is missing "    \
	  "here may have happened all the same",                                                   \
	  "不完整：记录时丢失了 {1} 个帧和 {2} 条消息；这里没有显示的事情也可能发生过")            \
	X("ui.incomplete-short", "INCOMPLETE: something was lost while recording",                 \
	  "不完整：记录时有内容丢失")                                                              \
	X("ui.missing", "this kernel could not give: {1}", "这个内核无法提供：{1}")                \
	X("ui.no-steps", "no step was recorded", "没有记录到任何一步")                             \
	X("ui.legend",                                                                             \
	  "OBSERVED: seen as it happened. RE-ASKED: the kernel was asked again afterwards. "       \
	  "INFERRED: concluded from the state.",                                                   \
	  "OBSERVED：发生时看到的。RE-ASKED：事后再次询问内核。INFERRED：由状态推断。")            \
	X("ui.keys",                                                                               \
	  "n next  p back  r reply side  o outer/inner  x bytes  up/down scroll  q quit",          \
	  "n 下一步  p 上一步  r 回程  o 外层/内层  x 字节  上/下 滚动  q 退出")                   \
	X("ui.keys-page",                                                                          \
	  "keys: n next, p back, r reply side, o outer packet, x bytes, "                          \
	  "Home and End",                                                                          \
	  "按键：n 下一步，p 上一步，r 回程，o 外层，x 字节，Home 和 End")                         \
	X("ui.more", "{1} more lines below", "下面还有 {1} 行")                                    \
	X("ui.theme", "light/dark", "明/暗")                                                       \
	X("ui.copy", "copy", "复制")                                                               \
	X("ui.prev", "back", "上一步")                                                             \
	X("ui.lanes", "The way, top to bottom: lanes are namespaces, time runs down.",             \
	  "路径由上而下：每列是一个网络命名空间，时间向下。")

#define LANG_PLACES(X)                                                                             \
	X("role.pod", "pod {1}", "Pod {1}")                                                        \
	X("role.pod-on", "pod {1} on {2}", "{2} 上的 Pod {1}")                                     \
	X("role.node", "{1}", "节点 {1}")                                                          \
	X("role.host", "outside machine {1}", "外部主机 {1}")                                      \
	X("role.router", "router {1}", "路由器 {1}")                                               \
	X("role.fabric", "the network between the machines", "机器之间的网络")                     \
	X("place.in", "device {1}, coming in", "设备 {1}，进入")                                   \
	X("place.out", "device {1}, going out", "设备 {1}，发出")                                  \
	X("word.in", "coming in", "进入")                                                          \
	X("word.out", "going out", "发出")                                                         \
	X("short.in", "{1} in", "{1} 进")                                                          \
	X("short.out", "{1} out", "{1} 出")                                                        \
	X("place.bridge", "bridge {1}", "网桥 {1}")                                                \
	X("place.hook", "netfilter, {1} {2}", "netfilter，{1} {2}")                                \
	X("place.conntrack", "connection tracking", "连接跟踪（conntrack）")                       \
	X("place.route", "routing", "路由")                                                        \
	X("place.neigh", "neighbour table of {1}", "{1} 的邻居表")                                 \
	X("place.fdb", "forwarding database of {1}", "{1} 的转发数据库（FDB）")                    \
	X("place.tunnel", "tunnel device {1}", "隧道设备 {1}")                                     \
	X("place.app", "the program", "应用程序")                                                  \
	X("place.stack", "the IP stack", "IP 协议栈")                                              \
	X("place.outer", "for the outer packet", "针对外层报文")                                   \
	X("place.port", "a port of bridge {1}", "网桥 {1} 的一个端口")                             \
	X("place.peer", "its other end is {1}", "另一端是 {1}")                                    \
	X("place.vxlan", "VXLAN id {1}, UDP port {2}", "VXLAN id {1}，UDP 端口 {2}")

#define LANG_KINDS(X)                                                                              \
	X("kind.app-send", "the program sends", "应用程序发送")                                    \
	X("kind.dev-tx", "out of a device", "从设备发出")                                          \
	X("kind.dev-rx", "into a device", "进入设备")                                              \
	X("kind.bridge", "the bridge decides", "网桥作出决定")                                     \
	X("kind.hook", "through netfilter's rules", "经过 netfilter 规则")                         \
	X("kind.dnat", "destination translated (DNAT)", "目的地址转换（DNAT）")                    \
	X("kind.snat", "source translated (SNAT)", "源地址转换（SNAT）")                           \
	X("kind.unnat", "conntrack translates back", "conntrack 还原地址")                         \
	X("kind.conntrack", "conntrack remembers", "conntrack 记录连接")                           \
	X("kind.route", "a route is chosen", "选择路由")                                           \
	X("kind.neigh", "a neighbour's MAC address", "邻居的 MAC 地址")                            \
	X("kind.fdb", "the far end is looked up", "查找远端")                                      \
	X("kind.encap", "packed into a tunnel packet", "封装进隧道报文")                           \
	X("kind.decap", "unpacked from the tunnel packet", "从隧道报文解封装")                     \
	X("kind.deliver", "handed to a program's socket", "交给应用程序的套接字")                  \
	X("kind.icmp-error", "an ICMP error is sent back", "返回 ICMP 错误")                       \
	X("kind.drop", "dropped", "被丢弃")                                                        \
	X("kind.lost", "lost", "丢失")                                                             \
	X("kind.app-recv", "the program receives", "应用程序收到")                                 \
	X("kind.ipvs-schedule", "ip_vs rewrites the packet", "ip_vs 改写报文")

#define LANG_FIELDS(X)                                                                             \
	X("field.src", "source address", "源地址")                                                 \
	X("field.sport", "source port", "源端口")                                                  \
	X("field.dst", "destination address", "目的地址")                                          \
	X("field.dport", "destination port", "目的端口")                                           \
	X("field.ttl", "TTL", "TTL")                                                               \
	X("field.mark", "mark", "标记（mark）")                                                    \
	X("field.smac", "source MAC", "源 MAC")                                                    \
	X("field.dmac", "destination MAC", "目的 MAC")                                             \
	X("field.osrc", "outer source address", "外层源地址")                                      \
	X("field.odst", "outer destination address", "外层目的地址")                               \
	X("field.osport", "outer source port", "外层源端口")                                       \
	X("field.odport", "outer destination port", "外层目的端口")                                \
	X("field.ottl", "outer TTL", "外层 TTL")                                                   \
	X("field.packed", "outer headers added", "加上了外层头部")                                 \
	X("field.unpacked", "outer headers taken off", "去掉了外层头部")

#define LANG_UI(X) LANG_LABELS(X) LANG_HEAD(X) LANG_PLACES(X) LANG_KINDS(X) LANG_FIELDS(X)

#endif
